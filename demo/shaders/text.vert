layout(location = 0) in vec3 position;
layout(location = 1) in vec2 texcoord;
layout(location = 2) in vec4 tint;
uniform vec4 flat_screen; // 2 / width, 2 / height, 1 for text on the screen in pixels from the top left
out vec2 uv;
out vec4 ink;

void main()
{
    uv = texcoord;
    ink = vec4(tint.rgb * tint.rgb, tint.a);
    gl_Position = flat_screen.z > 0.5
                      ? vec4(position.x * flat_screen.x - 1.0, 1.0 - position.y * flat_screen.y, 0.0, 1.0)
                      : view_projection * vec4(position, 1.0);
}
