#version 330
uniform mat4 view;        // world to camera: x right, y down, z forward
uniform mat4 projection;
uniform mat4 to_light;
in vec3 position;
in vec3 normal;
in vec3 rest;
in vec3 lie;
in vec3 place;
in vec3 colour;
invariant gl_Position;  // two programs must find the same depth
out vec3 at_world;
out vec3 at_normal;
out vec3 at_rest;
out vec3 at_lie;
out vec3 at_place;
out vec3 at_colour;
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
    at_lie = lie;
    at_place = place;
    at_colour = colour;
    at_light = to_light * world;
}
