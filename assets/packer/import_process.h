/* import_process.h - models are imported in processes of their own.
 *
 * A model importer of a dozen formats crashes on some file, or asks for all memory; that must cost that file and not
 * the pack. A small server process is forked before there are threads; for each model it forks a child, which imports
 * under limits of memory and time and sends the result back through a pipe. A child that dies is a message about its
 * file. */
#ifndef LEAT_PACKER_IMPORT_PROCESS_H
#define LEAT_PACKER_IMPORT_PROCESS_H

#include "import.h"

#include <sys/types.h>

typedef bool (*import_function)(const import_job *job, import_result *result);

typedef struct import_process {
    int channel; /* to the server; -1: none, models are imported in this process */
    pid_t server;
    import_function import;
} import_process;

/* Forks the server: call it while the process has one thread. If it cannot be had, imports run in this process. */
void import_process_start(import_process *p, import_function import);
/* As the import function itself, from any thread. A child that crashed or ran into a limit becomes an IMPORT_ERROR. */
bool import_process_run(const import_process *p, const import_job *job, import_result *result);
void import_process_stop(import_process *p);

#endif
