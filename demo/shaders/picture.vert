uniform vec3 center, right, up; // half sides
out vec3 at;
out vec2 uv;

void main()
{
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    uv = corner;
    vec2 s = corner * 2.0 - 1.0;
    at = center + right * s.x - up * s.y;
    gl_Position = view_projection * vec4(at, 1.0);
}
