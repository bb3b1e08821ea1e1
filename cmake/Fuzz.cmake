# fuzz/<name>_fuzz.cpp. With HOLDFAST_FUZZ a libFuzzer program fuzz_<name>, and a ctest test that
# runs it for HOLDFAST_FUZZ_SECONDS; with a sanitizer a program that replays fuzz/corpus/<name>;
# without either nothing: a sanitizer sees all that a plain replay does.
set(HOLDFAST_FUZZ_SECONDS 60 CACHE STRING "How long ctest runs each libFuzzer target")
enable_testing()
if(NOT HOLDFAST_FUZZ AND NOT HOLDFAST_SANITIZE)
  return()
endif()
list(TRANSFORM HF_MODULES PREPEND hf_ OUTPUT_VARIABLE hf_all_modules)

file(GLOB fuzz_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cpp")
if(NOT HOLDFAST_FUZZ)
  add_library(fuzz_replay STATIC "${CMAKE_SOURCE_DIR}/fuzz/replay_main.cpp")
  target_link_libraries(fuzz_replay PRIVATE ${hf_all_modules})
endif()
foreach(file IN LISTS fuzz_files)
  cmake_path(GET file STEM name)
  string(REGEX REPLACE "_fuzz$" "" name "${name}")
  set(corpus "${CMAKE_SOURCE_DIR}/fuzz/corpus/${name}")
  add_executable(fuzz_${name} "${file}")
  set_target_properties(fuzz_${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/targets")
  target_include_directories(fuzz_${name} PRIVATE
    "${CMAKE_SOURCE_DIR}/fuzz" "${CMAKE_SOURCE_DIR}/tests")
  target_link_libraries(fuzz_${name} PRIVATE ${hf_all_modules})
  if(HOLDFAST_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set(found "${CMAKE_BINARY_DIR}/corpus/${name}")
    file(MAKE_DIRECTORY "${found}" "${CMAKE_BINARY_DIR}/crashes")
    add_test(NAME fuzz.${name} COMMAND fuzz_${name}
      -max_total_time=${HOLDFAST_FUZZ_SECONDS} -timeout=25 -rss_limit_mb=2048 -print_final_stats=1
      "-artifact_prefix=${CMAKE_BINARY_DIR}/crashes/${name}-" "${found}" "${corpus}")
    math(EXPR limit "${HOLDFAST_FUZZ_SECONDS} + 120")
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz COST 1 TIMEOUT ${limit})
    file(MAKE_DIRECTORY "${corpus}")
  else()
    target_link_libraries(fuzz_${name} PRIVATE fuzz_replay)
    add_dependencies(in_process_tests fuzz_${name})
    add_test(NAME fuzz-replay.${name}${hf_suffix} COMMAND fuzz_${name} "${corpus}")
    hf_test_properties(fuzz-replay.${name}${hf_suffix} fuzz-replay 500 600)
  endif()
endforeach()
