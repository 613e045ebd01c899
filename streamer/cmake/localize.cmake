# Makes the inner names of an installed libleat.a local, as they are hidden in libleat.so: merges its objects into one and
# demotes every symbol that is hidden. Run at install: cmake -DARCHIVE=... -DLINKER=... -DOBJCOPY=... -DAR=... -P localize.cmake
# Where a tool cannot do it (link-time bitcode of another compiler), the archive stays as it is, and that is said.
get_filename_component(folder ${ARCHIVE} DIRECTORY)
set(merged ${folder}/leat-merged.o)
execute_process(COMMAND ${LINKER} -r --whole-archive ${ARCHIVE} -o ${merged} RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
if(NOT failed)
  execute_process(COMMAND ${OBJCOPY} --localize-hidden --remove-section=.gnu.lto_* ${merged} RESULT_VARIABLE failed
    OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT failed)
  file(REMOVE ${ARCHIVE})
  execute_process(COMMAND ${AR} rcs ${ARCHIVE} ${merged} RESULT_VARIABLE failed)
endif()
file(REMOVE ${merged})
if(failed)
  message(STATUS "${ARCHIVE}: its inner names stay visible to the linker")
endif()
