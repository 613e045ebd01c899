/* mesh_export.h - a mesh asset becomes a file again: OBJ, or glTF with its buffer beside it. */
#ifndef LEAT_PACKER_MESH_EXPORT_H
#define LEAT_PACKER_MESH_EXPORT_H

#include <leat/leat.h>
#include <leat/pack_format.h>

#include <stdbool.h>

typedef struct mesh_export_desc {
    const leat_pack_mesh_metadata *metadata; /* checked, with its lods and submeshes behind it */
    const uint8_t *raw; /* the whole asset */
    uint64_t raw_size;
    const char *const *material_names; /* of each slot; NULL entries become "material<slot>" */
    uint32_t lod; /* 0: the finest */
    int folder; /* open, or AT_FDCWD: what the path is relative to */
    const char *path; /* ends in .obj or .gltf; the .bin of a .gltf is written beside it */
    bool replace; /* files that are there already */
    bool *named; /* whole_file_begin's; may be NULL */
} mesh_export_desc;

/* False, and *why (a static text, or strerror), if a file cannot be written or an index names no vertex. */
bool mesh_export_obj(const mesh_export_desc *desc, const char **why);
bool mesh_export_gltf(const mesh_export_desc *desc, const char **why);

#endif
