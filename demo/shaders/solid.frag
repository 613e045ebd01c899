in vec3 at;
flat in vec3 facing;
flat in vec3 paint;
flat in int kind;
out vec4 color;

const int FLOOR = 0, WALL = 1, GLASS = 2, POLISHED = 3, MATT = 4, METAL = 5;

// Large slabs with a thin joint, a lighter and a darker stone, and veins.
vec3 stone(vec2 p, out float joint)
{
    vec2 q = p / 1.5;
    vec2 w = max(fwidth(q), vec2(1e-3));
    joint = pulse(q.x + 0.004, w.x, 0.992) * pulse(q.y + 0.004, w.y, 0.992);
    vec2 slab = floor(q);
    float veins = abs(noise(p * 1.3 + slab * 7.1) * 2.0 - 1.0);
    float fade = clamp(1.0 - 3.0 * max(w.x, w.y), 0.0, 1.0);
    float grain = noise(p * 17.0) * fade;
    float checker = mod(slab.x + slab.y, 2.0);
    vec3 light = mix(vec3(0.36, 0.30, 0.235), vec3(0.215, 0.165, 0.12), checker);
    light *= 0.93 + 0.14 * hash(slab + 3.0);
    light *= 0.90 + 0.14 * smoothstep(0.0, 0.3, veins) + 0.05 * grain;
    return mix(vec3(0.09, 0.075, 0.06), light, joint);
}

void main()
{
    vec3 n = facing;
    vec3 view = normalize(at - eye.xyz);
    if (kind == GLASS) {
        float g = glass(at.xz, 0.03);
        float cloud = smoothstep(0.25, 0.8, noise(view.xz / max(view.y, 0.05) * 1.3 + screen.z * 0.02));
        color = vec4(to_screen(mix(vec3(0.30, 0.29, 0.28), sky_color(view) * (0.85 + 0.55 * cloud), g)), 1.0);
        return;
    }
    vec3 albedo = paint;
    float shine = 0.0, cone = 0.0;
    if (kind == FLOOR) {
        float joint;
        albedo = stone(at.xz, joint);
        shine = 0.055 * joint;
        cone = 0.035;
    } else if (kind == WALL) {
        albedo *= 0.96 + 0.07 * noise(at.xy * 1.7 + at.z * 1.3);
    } else if (kind == POLISHED) {
        shine = 0.04;
        cone = 0.12;
    } else if (kind == METAL) {
        shine = 0.5;
        cone = 0.25;
    }
    float sunny = sun_visible(at + n * 0.02) * clamp(dot(n, sun.xyz), 0.0, 1.0) * sun.w;
    float shade = corner_shade(at, n);
    vec3 light = irradiance(at, n) * shade + SUN_COLOR * sunny;
    vec3 result = albedo * light;
    if (shine > 0.0) {
        vec3 bounce = reflect(view, n);
        float grazing = 1.0 - clamp(dot(bounce, n), 0.0, 1.0);
        float fresnel = shine + (1.0 - shine) * 0.55 * grazing * grazing * grazing * grazing * grazing;
        vec3 seen = surroundings(at, bounce, cone);
        result += (kind == METAL ? albedo * 1.6 : vec3(1.0)) * seen * fresnel * shade;
    }
    color = vec4(to_screen(result), 1.0);
}
