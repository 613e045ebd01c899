// What all shaders of the museum share: the frame, the hall, its light, and the way to the screen.
// The light is analytic: a glass roof with bars lets a sun and a sky in; no map is rendered for it.

layout(std140) uniform Frame {
    mat4 view_projection;
    vec4 eye;    // w: exposure
    vec4 sun;    // towards it; w: strength
    vec4 screen; // width, height, seconds, 1 for overlays
};
layout(std140) uniform Hall {
    vec4 box_min;
    vec4 box_max;
    vec4 skylight; // x0, x1, z0, z1 at the height of box_max.y
    vec4 wall;     // paint, linear
    vec4 door_low, door_high; // reserved
};

const vec3 SUN_COLOR = vec3(1.0, 0.86, 0.66);
const vec3 SKY_LIGHT = vec3(0.86, 0.93, 1.0);
const vec3 FLOOR_BOUNCE = vec3(0.74, 0.64, 0.53);
const float PANE = 1.55;

// The share of [x - w/2, x + w/2] in which a wave of period 1 is in its first `duty`.
float pulse(float x, float w, float duty)
{
    vec2 edge = vec2(x - 0.5 * w, x + 0.5 * w);
    vec2 sum = floor(edge) * duty + min(fract(edge), duty);
    return (sum.y - sum.x) / w;
}

// How much of a patch of `w` metres around a point of the ceiling is glass.
float glass(vec2 p, float w)
{
    vec2 low = vec2(skylight.x, skylight.z), high = vec2(skylight.y, skylight.w);
    vec2 part = clamp((min(p + 0.5 * w, high) - max(p - 0.5 * w, low)) / w, 0.0, 1.0);
    float bars = pulse((p.x - low.x) / PANE - 0.04, w / PANE, 0.92) * pulse((p.y - low.y) / PANE - 0.04, w / PANE, 0.92);
    return part.x * part.y * bars;
}

float sun_visible(vec3 p)
{
    float t = max(box_max.y - p.y, 0.0) / sun.y;
    return glass(p.xz + sun.xz * t, 0.03 + 0.009 * t);
}

vec3 sky_color(vec3 d)
{
    return mix(vec3(1.0, 0.93, 0.82), vec3(0.42, 0.64, 1.0), clamp(d.y * 1.5 - 0.1, 0.0, 1.0)) * 1.55;
}

// Corners and edges are darker: a guess from the distance to the walls, floor and ceiling.
float corner_shade(vec3 p, vec3 n)
{
    vec3 low = max(p - box_min.xyz, 0.0), high = max(box_max.xyz - p, 0.0);
    // A surface is not shaded by the plane that it lies in.
    vec3 a = mix(exp2(-low * 2.2), vec3(0.0), clamp(n, 0.0, 1.0));
    vec3 b = mix(exp2(-high * 2.2), vec3(0.0), clamp(-n, 0.0, 1.0));
    vec3 k = (1.0 - 0.34 * a) * (1.0 - 0.28 * b);
    return k.x * k.y * k.z;
}

// Diffuse light from the glass roof (a long bright strip), the walls and the floor.
vec3 irradiance(vec3 p, vec3 n)
{
    vec3 toward = vec3(clamp(p.x, skylight.x, skylight.y), box_max.y + 0.6, clamp(p.z, skylight.z, skylight.w)) - p;
    float square = dot(toward, toward);
    float facing = dot(n, toward) * inversesqrt(square);
    float strip = clamp(facing * 0.7 + 0.3, 0.0, 1.0) * 13.0 / (square * 0.42 + 9.0);
    vec3 around = mix(FLOOR_BOUNCE, mix(wall.rgb, vec3(0.9), 0.6) * 0.75, clamp(n.y * 0.5 + 0.5, 0.0, 1.0));
    return SKY_LIGHT * strip * 0.82 + around * 0.44;
}

// What a ray sees of the empty hall; w is the width of its cone per metre.
vec3 surroundings(vec3 p, vec3 d, float w)
{
    vec3 inverse = 1.0 / (d + vec3(1e-5));
    vec3 t = max((box_min.xyz - p) * inverse, (box_max.xyz - p) * inverse);
    float side = min(t.x, t.z), near = min(side, t.y);
    vec3 hit = p + d * near;
    float soft = 0.35 + 40.0 * w;
    float upright = clamp((t.y - side) / soft + 0.5, 0.0, 1.0);
    float height = clamp(hit.y / box_max.y, 0.0, 1.0);
    vec3 walls = wall.rgb * (0.35 + 0.6 * smoothstep(0.0, 0.7, height)) * 1.1;
    vec3 level = FLOOR_BOUNCE * 0.45;
    if (d.y > 0.0) {
        level = mix(vec3(0.62), sky_color(d), glass(p.xz + d.xz * t.y, 0.06 + w * t.y));
    }
    return mix(level, walls, upright);
}

#ifdef FRAGMENT
vec3 to_screen(vec3 color)
{
    vec2 place = gl_FragCoord.xy / screen.xy - 0.5;
    color *= eye.w * (1.0 - 0.62 * dot(place, place));
    return clamp((color * (2.51 * color + 0.03)) / (color * (2.43 * color + 0.59) + 0.14), 0.0, 1.0);
}
#endif

float hash(vec2 p)
{
    p = fract(p * vec2(0.1031, 0.1030));
    p += dot(p, p.yx + 33.33);
    return fract((p.x + p.y) * p.x * 13.7);
}

float noise(vec2 p)
{
    vec2 i = floor(p), f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x), mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
}
