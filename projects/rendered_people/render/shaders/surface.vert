#version 330
uniform mat4 view;        // world to camera: x right, y down, z forward
uniform mat4 projection;
uniform mat4 to_light;
in vec3 position;
in vec3 normal;
in vec3 rest;
in vec3 rest_normal;
in vec3 place;
in vec3 color;
invariant gl_Position;  // both programs must compute the same depth
out vec3 at_world;
out vec3 at_normal;
out vec3 at_rest;
out vec3 at_rest_normal;
out vec3 at_place;
out vec3 at_color;
out vec4 at_light;
out float depth;

void main() {
    vec4 world = vec4(position, 1.0);
    vec4 camera = view * world;
    gl_Position = projection * camera;
    depth = camera.z;
    at_world = position;
    at_normal = normal;
    at_rest = rest;
    at_rest_normal = rest_normal;
    at_place = place;
    at_color = color;
    at_light = to_light * world;
}
