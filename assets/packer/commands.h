/* commands.h - what `leat` can do. Each returns an exit code. */
#ifndef LEAT_PACKER_COMMANDS_H
#define LEAT_PACKER_COMMANDS_H

#include "options.h"

int command_pack(const options *o);
int command_list(const options *o);
int command_info(const options *o);
int command_verify(const options *o);
int command_extract(const options *o);
int command_diff(const options *o);
int command_doctor(const options *o);
int command_trace(const options *o);
int command_cache(const options *o);

#endif
