// Edges of a layer of clothes or hair; the numbers are those of clothing.py.
uniform vec4 cut_height;  // lowest, highest, how deep the neck is cut, its half width
uniform vec4 cut_limb;    // end of sleeves, front opening, roughness of edges, lowest hair

uniform sampler3D random;

float noise(vec3 x) {
    return texture(random, x / 32.0).r;
}

bool is_cut(vec3 place, vec3 rest) {
    float rough = cut_limb.z * (noise(rest * 60.0) - 0.5);
    float arm = place.x, height = place.y + rough, hair = place.z + rough * 0.2;
    float front = step(rest.y, -0.02);
    float neck = cut_height.z * front * max(0.0, 1.0 - abs(rest.x) / cut_height.w);
    return height < cut_height.x || height > cut_height.y - neck
        || arm + rough > cut_limb.x
        || (front > 0.5 && abs(rest.x) < cut_limb.y)
        || hair < cut_limb.w;
}
