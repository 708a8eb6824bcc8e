#version 330
//#include cut.glsl
in vec3 at_place;
in vec3 at_rest;

void main() {
    if (is_cut(at_place, at_rest)) discard;
}
