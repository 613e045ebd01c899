/* encoder_id.c - see encoder_id.h.
 *
 * A number that somebody has to raise with each change is forgotten once, and then a cache gives old bytes for new
 * code. So the linker says it: each program and library has a build id, a hash of what is in it, in a note in its
 * memory. One without the note is known by its file's time and size.
 *
 * Of this program much makes no assets: the streamer, `leat doctor`. So where its build has said what does
 * (encoder_objects.cmake), that stands for it, unless a library is part of the program: then it counts as a whole. */
#include "encoder_id.h"

#include <assimp/cimport.h>
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <lz4hc.h>
#include <math.h>
#include <meshoptimizer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stb_dxt.h>
#include <stb_image.h>
#include <stb_image_resize.h>
#include <sys/stat.h>
#include <xxhash.h>

#define ENCODER_VERSION 1u /* to be raised where the same code is to count as another */

typedef struct collector {
    uint64_t id[2];
    uint32_t object_count;
} collector;

/* A hash of the objects that make assets; NULL: a program that was linked without it, as tests are, or as one. */
extern const uint8_t encoder_objects[32] __attribute__((weak));

static void mix(collector *c, const void *bytes, size_t size)
{
    XXH128_hash_t added = XXH3_128bits(bytes, size);
    const uint64_t both[4] = { c->id[0], c->id[1], added.low64, added.high64 };
    XXH128_hash_t mixed = XXH3_128bits(both, sizeof(both));
    c->id[0] = mixed.low64;
    c->id[1] = mixed.high64;
}

static size_t padded(size_t size, size_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

/* Adds the build id that a segment of notes has. The loader has mapped and used these bytes: they are ours. */
static bool notes_add(collector *c, const uint8_t *at, size_t left, size_t alignment)
{
    ElfW(Nhdr) note;
    while (left >= sizeof(note)) {
        memcpy(&note, at, sizeof(note));
        size_t name_size = padded(note.n_namesz, alignment), size = padded(note.n_descsz, alignment);
        if (name_size > left - sizeof(note) || size > left - sizeof(note) - name_size) {
            return false;
        }
        const uint8_t *name = at + sizeof(note), *id = name + name_size;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") && memcmp(name, "GNU", 4) == 0) {
            mix(c, id, note.n_descsz);
            return true;
        }
        at = id + size;
        left -= sizeof(note) + name_size + size;
    }
    return false;
}

/* Of each library that makes something of assets, whether it is loaded, and not in the program. */
static bool libraries_are_loaded(void)
{
    const uintptr_t functions[] = { (uintptr_t)LZ4_compress_HC,
                                    (uintptr_t)meshopt_simplify,
                                    (uintptr_t)aiImportFileExWithProperties,
                                    (uintptr_t)stbi_load_from_memory,
                                    (uintptr_t)stb_compress_dxt_block,
                                    (uintptr_t)stbir_resize_float_generic,
                                    (uintptr_t)XXH3_64bits,
                                    (uintptr_t)(float (*)(float, float))powf,
                                    (uintptr_t)qsort };
    Dl_info program, library;
    bool loaded = dladdr((void *)(uintptr_t)encoder_id, &program) != 0;
    for (uint32_t i = 0; i < sizeof(functions) / sizeof(functions[0]); ++i) {
        loaded = loaded && dladdr((void *)functions[i], &library) != 0 && library.dli_fbase != program.dli_fbase;
    }
    return loaded;
}

static int object_add(struct dl_phdr_info *info, size_t info_size, void *user)
{
    (void)info_size;
    collector *c = user;
    bool program = c->object_count++ == 0;
    if (!program && strchr(info->dlpi_name, '/') == NULL) {
        return 0; /* the kernel's vdso, which gives the time */
    }
    bool known = program && encoder_objects != NULL && libraries_are_loaded();
    if (known) {
        mix(c, encoder_objects, sizeof(encoder_objects));
    }
    for (uint32_t i = 0; i < info->dlpi_phnum && !known; ++i) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE) {
            const uint8_t *at = (const uint8_t *)info->dlpi_addr + segment->p_vaddr;
            known = notes_add(c, at, segment->p_memsz, segment->p_align == 8 ? 8 : 4);
        }
    }
    struct stat file;
    const char *path = program ? "/proc/self/exe" : info->dlpi_name;
    if (!known && stat(path, &file) == 0) {
        const int64_t facts[3] = { file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec };
        mix(c, facts, sizeof(facts));
        mix(c, info->dlpi_name, strlen(info->dlpi_name));
    }
    return 0;
}

void encoder_id(uint64_t id[2])
{
    collector c = { .id = { 0, 0 } };
    uint32_t facts[2] = { ENCODER_VERSION, 0 };
#ifdef __x86_64__ /* the C library's powf and its like have other last bits with and without */
    facts[1] = (__builtin_cpu_supports("fma") ? 1u : 0u) | (__builtin_cpu_supports("avx2") ? 2u : 0u);
#endif
    mix(&c, facts, sizeof(facts));
    dl_iterate_phdr(object_add, &c);
    memcpy(id, c.id, sizeof(c.id));
}
