layout(location = 0) in vec3 position;
layout(location = 1) in vec4 place; // metres from the middle, and half the size of the thing that casts it
layout(location = 2) in vec2 strength; // and softness in metres
out vec4 spot;
flat out vec2 depth;

void main()
{
    spot = place;
    depth = strength;
    gl_Position = view_projection * vec4(position, 1.0);
    gl_Position.z -= 0.0004 * gl_Position.w;
}
