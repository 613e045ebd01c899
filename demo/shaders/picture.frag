uniform sampler2D image;
uniform vec4 look;    // x: 0 colour, 1 data as the file shows it, 2 two channels of a normal; y: appear; z: alpha counts
uniform vec4 overlay; // rgb, amount
uniform vec3 normal;
in vec3 at;
in vec2 uv;
out vec4 color;

void main()
{
    // Meshes repeat the same texture: keep the far edge out of this one.
    vec2 rim = 0.5 / vec2(textureSize(image, 0));
    vec4 texel = texture(image, clamp(uv, rim, 1.0 - rim));
    vec3 shown = texel.rgb;
    if (look.x > 1.5) {
        vec2 xy = texel.rg * 2.0 - 1.0;
        shown.b = sqrt(max(1.0 - dot(xy, xy), 0.0)) * 0.5 + 0.5;
    }
    if (look.x > 0.5) {
        shown = shown * shown * (shown * 0.31 + 0.69); // close to the sRGB curve
    }
    vec3 ground = vec3(0.42, 0.40, 0.37) * (mod(floor(uv.x * 12.0) + floor(uv.y * 12.0), 2.0) * 0.25 + 0.75);
    shown = mix(shown, mix(ground, shown, texel.a), look.z);
    shown = mix(vec3(0.39, 0.35, 0.30), shown, look.y);
    shown = mix(shown, overlay.rgb, overlay.a);
    // A picture lamp above it, so that colours are seen as they are; a little daylight on top.
    float lamp = 0.98 - 0.22 * uv.y;
    float sunny = sun_visible(at) * clamp(dot(normal, sun.xyz), 0.0, 1.0) * sun.w;
    vec3 light = vec3(lamp) * vec3(1.0, 0.97, 0.92) * 0.80 + irradiance(at, normal) * 0.22 + SUN_COLOR * sunny * 0.6;
    color = vec4(to_screen(shown * light), 1.0);
}
