/* material_import.h - the materials of an Assimp scene as assets, with their textures as references by name. */
#ifndef LEAT_PACKER_MATERIAL_IMPORT_H
#define LEAT_PACKER_MATERIAL_IMPORT_H

#include "import.h"

#include <assimp/scene.h>

/* Adds a material asset for every material that `used` marks, "MODEL#INDEX.NAME"; its name's hash goes to hashes[i].
 * Adds the images that the scene embeds. False: out of memory. */
bool materials_import(const import_job *job, const struct aiScene *scene, const bool *used, uint64_t *hashes,
                      import_result *result);
/* Asks again what a LOOKUP_TEXTURE has asked. Any thread. */
void material_texture_ask(const import_job *job, const char *wanted, uint64_t answer[2]);

#endif
