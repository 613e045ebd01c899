/* mesh_build.h - triangles in, a mesh asset with LODs out.
 *
 * Pure: no files, no threads, the same bytes for the same triangles. */
#ifndef LEAT_PACKER_MESH_BUILD_H
#define LEAT_PACKER_MESH_BUILD_H

#include "import.h"

/* A triangle soup: three vertices a triangle, grouped by submesh. All memory is the caller's. */
typedef struct mesh_soup {
    leat_vertex *vertices;
    uint32_t vertex_count; /* a multiple of 3 */
    uint32_t *submesh_ends; /* vertex at which each submesh ends */
    uint32_t *materials; /* material slot of each submesh */
    uint32_t submesh_count;
    uint32_t material_count;
    uint32_t flags; /* leat_mesh_flags */
} mesh_soup;

/* Fills type, raw, metadata and cuts of *asset (malloc'ed, the caller's). On failure false, and *why is a static text.
 */
bool mesh_build(const mesh_soup *soup, import_asset *asset, const char **why);

#endif
