/* mesh_import.h - a model file in, one mesh asset, its materials and its embedded images out. */
#ifndef LEAT_PACKER_MESH_IMPORT_H
#define LEAT_PACKER_MESH_IMPORT_H

#include "import.h"

/* True if Assimp reads files with this name's extension. Any thread. */
bool mesh_import_knows(const char *path);

/* Imports one model. Any thread. False if nothing came of it; result->messages then has an IMPORT_ERROR that says why.
 * Missing materials and textures are warnings. */
bool mesh_import(const import_job *job, import_result *result);

#endif
