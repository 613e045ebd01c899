layout(location = 0) in vec3 position;
layout(location = 1) in vec4 normal;
layout(location = 2) in vec2 texcoord;
layout(location = 3) in vec4 vertex_color;
uniform vec4 origin_scale;
uniform vec2 turn; // cos, sin
out vec3 at;
out vec3 facing;
out vec2 uv;
out vec4 tint;

vec3 turned(vec3 v)
{
    return vec3(turn.x * v.x + turn.y * v.z, v.y, turn.x * v.z - turn.y * v.x);
}

void main()
{
    at = origin_scale.xyz + origin_scale.w * turned(position);
    facing = turned(normal.xyz);
    uv = texcoord;
    tint = vertex_color;
    gl_Position = view_projection * vec4(at, 1.0);
}
