#version 330
//#include cut.glsl
uniform sampler2DArray fabrics;
uniform sampler2D shadow;
uniform vec3 eye;
uniform vec3 sun_direction;  // towards the light
uniform vec3 sun;
uniform vec3 sky;
uniform vec3 ground;
uniform vec4 material;   // fabric or -1 for vertex colors, meters a tile, gloss, owner
uniform vec4 surface;    // folds' depth, folds' size, speckle, 1 if only shadows show
uniform vec3 seed;
in vec3 at_world;
in vec3 at_normal;
in vec3 at_rest;
in vec3 at_rest_normal;
in vec3 at_place;
in vec3 at_color;
in vec4 at_light;
in float depth;
layout(location = 0) out vec4 radiance;
layout(location = 1) out vec2 seen;

float fold(vec3 p) {
    return noise(p) + 0.5 * noise(p * 2.03 + 7.1);
}

// Projects onto the axis-aligned plane nearest to the surface at rest. Gradients are
// those of the surface, since coordinates jump between planes.
vec3 fabric() {
    vec3 a = abs(at_rest_normal), right = dFdx(at_rest), up = dFdy(at_rest);
    vec2 at = at_rest.xy, along = right.xy, across = up.xy;
    if (a.y >= a.x && a.y >= a.z) {
        at = at_rest.xz; along = right.xz; across = up.xz;
    } else if (a.x >= a.z) {
        at = at_rest.yz + vec2(0.37, 0.0); along = right.yz; across = up.yz;
    }
    return textureGrad(fabrics, vec3((at + seed.xy) / material.y, material.x),
                       along / material.y, across / material.y).rgb;
}

float lit() {
    vec3 p = at_light.xyz * 0.5 + 0.5;
    if (any(lessThan(p, vec3(0.0))) || any(greaterThan(p, vec3(1.0)))) return 1.0;
    float sum = 0.0;
    for (int dx = -1; dx <= 1; ++dx)
        for (int dy = -1; dy <= 1; ++dy)
            sum += step(p.z - 0.004,
                        texture(shadow, p.xy + vec2(dx, dy) / 512.0).r);
    return sum / 9.0;
}

void main() {
    // normals of triangles without area are zero
    vec3 n = at_normal / max(length(at_normal), 1e-6);
    vec3 to_eye = normalize(eye - at_world);
    vec3 color = material.x < 0.0 ? at_color : fabric();
    if (surface.x > 0.0) {
        vec3 p = (at_rest * vec3(1.0, 1.0, 0.6) + seed) / surface.y;
        float here = fold(p);
        vec3 slope = vec3(fold(p + vec3(0.1, 0, 0)) - here,
                          fold(p + vec3(0, 0.1, 0)) - here,
                          fold(p + vec3(0, 0, 0.1)) - here) * 10.0;
        n = normalize(n - surface.x * slope);
        color *= 0.85 + 0.25 * here;
    }
    color *= 1.0 + surface.z * (noise(at_rest * vec3(400, 400, 60) + seed) - 0.5);
    if (dot(n, to_eye) < 0.0) n = -n;
    float shade = lit();
    float facing = max(dot(n, sun_direction), 0.0) * shade;
    vec3 ambient = mix(ground, sky, n.z * 0.5 + 0.5);
    if (surface.w > 0.5) {
        float open = max(sun_direction.z, 0.0);
        vec3 full = sky + sun * open;
        vec3 left = (sky + sun * open * shade) / max(full, vec3(1e-4));
        radiance = vec4(vec3(0.0), 1.0 - dot(left, vec3(1.0 / 3.0)));
        seen = vec2(0.0);
        return;
    }
    vec3 half_way = normalize(sun_direction + to_eye);
    float shine = material.z * pow(max(dot(n, half_way), 0.0), 24.0) * shade;
    radiance = vec4(color * (ambient + sun * facing) + sun * shine, 1.0);
    seen = vec2(depth, material.w);
}
