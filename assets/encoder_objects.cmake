# Hashes what of the object files of `leat` makes assets, into a source that encoder_id.c reads: assets that are kept are made
# anew by a build that differs there, and by no other.
#
#   cmake -DROOT=main.o -DOBJECTS=a.o|b.o|... -DNM=nm -DREADELF=readelf "-DLINK=compiler and flags" -DOUT=encoder_objects.c -P encoder_objects.cmake
#
# That is what can be run by `leat pack`: what main.o needs but for the other commands, what that needs, and so on, by the symbols
# of the objects. What is only reached through a pointer is named by whoever takes its address. Each file counts as a whole, and
# also what runs before main. No list can be forgotten here; and where the symbols do not tell (link-time optimisation, for
# which all of a program decides what is folded and inlined; bitcode; tools that are missing) nothing is said here, and the build
# id counts. LINK is what else decides what is linked: the compiler, whose own objects are part of a program, and its flags.
cmake_policy(SET CMP0057 NEW) # IN_LIST
string(REPLACE "|" ";" OBJECTS "${OBJECTS}")
list(PREPEND OBJECTS "${ROOT}")
set(all FALSE)
set(before_main "")
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND "${NM}" -P -g "${object}" OUTPUT_VARIABLE symbols ERROR_VARIABLE said RESULT_VARIABLE result)
  execute_process(COMMAND "${READELF}" -S -W "${object}" OUTPUT_VARIABLE sections ERROR_QUIET RESULT_VARIABLE sections_result)
  if(NOT result EQUAL 0 OR NOT said STREQUAL "" OR symbols STREQUAL "" OR NOT sections_result EQUAL 0 OR NOT sections MATCHES "\\.symtab"
     OR sections MATCHES "\\.gnu\\.lto_")
    set(all TRUE)
    break()
  endif()
  if(sections MATCHES "\\.(init_array|preinit_array|fini_array|ctors|dtors|init|fini)")
    list(APPEND before_main "${object}")
  endif()
  set("needs_${object}" "")
  string(REPLACE "\n" ";" lines "${symbols}")
  foreach(line IN LISTS lines)
    if(line MATCHES "^([^ ]+) ([A-Za-z])")
      set(name "${CMAKE_MATCH_1}")
      if(CMAKE_MATCH_2 MATCHES "^[Uvw]$") # of weak ones, V and W are definitions
        list(APPEND "needs_${object}" "${name}")
      else()
        list(APPEND "defines_${name}" "${object}")
      endif()
    endif()
  endforeach()
endforeach()

if(all)
  file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT
    [[/* By encoder_objects.cmake: the symbols of the object files do not tell which of them make assets. */
extern const unsigned char encoder_objects[32];
]])
  return()
endif()
set(taken "${ROOT}" ${before_main})
list(REMOVE_DUPLICATES taken)
list(FILTER "needs_${ROOT}" EXCLUDE REGEX "^command_(list|info|verify|extract|diff|doctor|trace|cache)$")
set(waiting ${taken})
while(waiting)
  list(POP_FRONT waiting object)
  foreach(name IN LISTS "needs_${object}")
    foreach(other IN LISTS "defines_${name}")
      if(NOT other IN_LIST taken)
        list(APPEND taken "${other}")
        list(APPEND waiting "${other}")
      endif()
    endforeach()
  endforeach()
endwhile()

set(hashes "")
foreach(object IN LISTS taken)
  file(SHA256 "${object}" hash)
  list(APPEND hashes ${hash})
endforeach()
list(SORT hashes)
string(SHA256 hash "${hashes};${LINK}")
string(REGEX REPLACE "(..)" "0x\\1, " bytes "${hash}")
list(LENGTH taken count)
list(LENGTH OBJECTS of)
file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT
  [[/* Of @count@ of @of@ object files: by encoder_objects.cmake. */
extern const unsigned char encoder_objects[32];
__attribute__((section(".leat_encoder"), used)) const unsigned char encoder_objects[32] = { @bytes@ };
]])
