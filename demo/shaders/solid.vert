layout(location = 0) in vec3 position;
layout(location = 1) in vec4 normal; // w * 127: the kind of surface
layout(location = 2) in vec4 tint;
out vec3 at;
flat out vec3 facing;
flat out vec3 paint;
flat out int kind;

void main()
{
    at = position;
    facing = normal.xyz;
    paint = tint.rgb * tint.rgb;
    kind = int(normal.w * 127.0 + 0.5);
    gl_Position = view_projection * vec4(position, 1.0);
}
