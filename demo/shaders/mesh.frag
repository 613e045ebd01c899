uniform sampler2D base_map, normal_map, surface_map, emissive_map;
uniform vec4 base_color;
uniform vec4 emissive;   // w: 1 if the material is unlit
uniform vec4 surface;    // metallic, roughness, normal scale, alpha cutoff
uniform vec4 lamp;       // a spot above the plinth
uniform vec4 overlay;    // rgb, amount
uniform float appear;
in vec3 at;
in vec3 facing;
in vec2 uv;
in vec4 tint;
out vec4 color;

// Tangents from the derivatives of position and uv. v runs down, normal maps are +Y up: hence the sign of the second.
vec3 bumped(vec3 n)
{
    vec2 xy = (texture(normal_map, uv).rg * 2.0 - 1.0) * surface.z;
    vec3 px = dFdx(at), py = dFdy(at);
    vec2 tx = dFdx(uv), ty = dFdy(uv);
    vec3 a = cross(py, n), b = cross(n, px);
    vec3 t = a * tx.x + b * ty.x, s = -(a * tx.y + b * ty.y);
    float size = max(dot(t, t), dot(s, s));
    if (size < 1e-20) {
        return n;
    }
    float scale = inversesqrt(size);
    return normalize(n + (t * xy.x + s * xy.y) * scale);
}

void main()
{
    vec4 base = texture(base_map, uv) * base_color * tint;
#ifdef DISCARDS
    if (base.a < surface.w) {
        discard;
    }
    // Comes in grain by grain.
    if (fract(52.9829189 * fract(dot(floor(gl_FragCoord.xy), vec2(0.06711056, 0.00583715)))) > appear) {
        discard;
    }
#endif
    vec3 view = normalize(at - eye.xyz);
    vec3 n = facing;
    float size = dot(n, n);
    n = size > 1e-6 ? n * inversesqrt(size) : normalize(cross(dFdx(at), dFdy(at)));
    n = gl_FrontFacing ? n : -n;
#ifdef BUMPS
    n = bumped(n);
#endif
    vec4 orm = texture(surface_map, uv);
    float metallic = surface.x * orm.b, rough = clamp(surface.y * orm.g, 0.06, 1.0);
    vec3 albedo = base.rgb * (1.0 - metallic), f0 = mix(vec3(0.04), base.rgb, metallic);

    float shade = corner_shade(at, n);
    vec3 light = irradiance(at, n) * shade * 0.85;
    float sunny = sun_visible(at) * clamp(dot(n, sun.xyz), 0.0, 1.0) * sun.w;
    vec3 toward = normalize(lamp.xyz - at);
    float lit = clamp(dot(n, toward), 0.0, 1.0) * lamp.w;
    vec3 key = vec3(1.0, 0.90, 0.76) * lit;
    vec3 result = albedo * (light + SUN_COLOR * sunny + key);

    vec3 bounce = reflect(view, n);
    float grazing = 1.0 - clamp(dot(-view, n), 0.0, 1.0);
    float fifth = grazing * grazing * grazing * grazing * grazing;
    vec3 fresnel = f0 + (max(vec3(1.0 - rough), f0) - f0) * fifth;
    float cone = rough * rough;
    vec3 seen = mix(surroundings(at, bounce, cone), irradiance(at, bounce) * 0.8, rough * rough);
    result += seen * fresnel * shade * (1.0 - 0.35 * rough);
    vec3 halfway = normalize(toward - view);
    float a2 = rough * rough * rough * rough, c = clamp(dot(n, halfway), 0.0, 1.0);
    float d = c * c * (a2 - 1.0) + 1.0;
    result += fresnel * key * min(a2 / (3.14159 * d * d) * 0.25 / max(0.1 + rough, 0.1), 8.0);
    result = mix(result, base.rgb, emissive.w) + emissive.rgb * texture(emissive_map, uv).rgb;
    result = mix(result, overlay.rgb, overlay.a);
    color = vec4(to_screen(result), 1.0);
}
