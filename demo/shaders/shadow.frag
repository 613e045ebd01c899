in vec4 spot;
flat in vec2 depth;
out vec4 color;

void main()
{
    vec2 beyond = abs(spot.xy) - spot.zw;
    float outside = length(max(beyond, 0.0));
    float fade = clamp(1.0 - outside / depth.y, 0.0, 1.0);
    color = vec4(0.0, 0.0, 0.0, depth.x * fade * fade);
}
