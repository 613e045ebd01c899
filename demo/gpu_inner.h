/* gpu_inner.h - what the files of the gpu module have between them. */
#ifndef VIEW_GPU_INNER_H
#define VIEW_GPU_INNER_H

#include "gpu.h"

bool gpu_texture_upload(gpu *g, gpu_upload *u, uint64_t *bytes_left);
bool gpu_mesh_upload(gpu *g, gpu_upload *u, uint64_t *bytes_left);

#endif
