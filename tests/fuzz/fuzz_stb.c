/* fuzz_stb.c - stb_image once more, with coverage and sanitizers: Debian's library has neither. In the preset `fuzz`
 * only; the linker takes this one first. */
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>
