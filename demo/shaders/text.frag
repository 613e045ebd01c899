uniform sampler2D glyphs;
in vec2 uv;
in vec4 ink;
out vec4 color;

void main()
{
    // u is -1 for a plain box; with multisampling it may be a little beyond the edge of a letter.
    float alpha = 1.0;
    if (uv.x > -0.5) {
        float distance = texture(glyphs, uv).r - 0.5;
        float width = max(fwidth(distance), 1e-4);
        alpha = clamp(distance / width + 0.5, 0.0, 1.0);
    }
    color = vec4(ink.rgb, ink.a * alpha);
}
