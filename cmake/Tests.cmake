# Every test kind, registered with ctest. Names end in the sanitizer's name, so that several
# builds can be one ctest run. A higher COST runs earlier: unit tests come first.
#
#   src/<module>/*_test.cpp     test_<module>       label unit
#   apps/<name>/*_test.cpp      test_<name>         label unit
#   tests/<group>/*.cpp         test_<group>        label journey; links every module
#   tests/cli/*.sh              bash SCRIPT BIN     label cli; HOLDFAST_BIN is BIN too
#   tests/service/*.sh          the same, against faults of the service: label service
#   tests/model/run.sh          model.circle        label model; spin, release build only
#   tests/interop/tlog.sh       Go's own code checks a log that tlog_site wrote, label interop
#   tools/*                     the checkers on fixtures that must fail: label lint
# (fuzz/*_fuzz.cpp, label fuzz-replay: Fuzz.cmake)
enable_testing()
find_package(GTest REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(cbor REQUIRED IMPORTED_TARGET libcbor)
find_library(HF_RAPIDCHECK rapidcheck REQUIRED)
include(GoogleTest)

set(hf_suffix "")
set(hf_environment "")
if(HOLDFAST_SANITIZE MATCHES "address")
  set(hf_suffix ".asan")
  set(hf_environment
    "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
elseif(HOLDFAST_SANITIZE MATCHES "thread")
  set(hf_suffix ".tsan")
  set(hf_environment
    "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${CMAKE_SOURCE_DIR}/tools/tsan.supp")
endif()
list(TRANSFORM HF_MODULES PREPEND hf_ OUTPUT_VARIABLE hf_all_modules)

function(hf_test_program target)
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(${target} PRIVATE
    HF_VECTORS_DIR="${CMAKE_SOURCE_DIR}/tests/vectors")
  target_compile_options(${target} PRIVATE ${hf_test_options})
  target_link_libraries(${target} PRIVATE
    GTest::gtest GTest::gtest_main "${HF_RAPIDCHECK}" Threads::Threads)
endfunction()

function(hf_test_properties name label cost timeout)
  set_tests_properties(${name} PROPERTIES
    LABELS "${label}" COST ${cost} TIMEOUT ${timeout} ENVIRONMENT "${hf_environment}")
endfunction()

foreach(module IN LISTS HF_MODULES)
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${module}/*_test.cpp")
  if(tests)
    add_executable(test_${module} ${tests})
    hf_test_program(test_${module})
    set_target_properties(test_${module} PROPERTIES UNITY_BUILD OFF)  # helpers share their names
    target_link_libraries(test_${module} PRIVATE hf_${module} ${HF_LIBRARIES_${module}})
    if(module STREQUAL "wire")
      target_link_libraries(test_wire PRIVATE PkgConfig::cbor)  # an independent oracle
    endif()
    add_test(NAME unit.${module}${hf_suffix} COMMAND test_${module} --gtest_brief=1)
    hf_test_properties(unit.${module}${hf_suffix} unit 1000 900)
  endif()
endforeach()

# A token that fails on demand, for the custodian's tests.
add_library(failing_module MODULE "${CMAKE_SOURCE_DIR}/tests/support/failing_module.cpp")
set_target_properties(failing_module PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
target_include_directories(failing_module PRIVATE "${CMAKE_SOURCE_DIR}/tests")
target_link_libraries(failing_module PRIVATE hf_pkcs11_header)
add_dependencies(test_custody failing_module)
set_source_files_properties("${CMAKE_SOURCE_DIR}/src/custody/trouble_test.cpp" PROPERTIES
  COMPILE_DEFINITIONS "HF_FAILING_MODULE=\"$<TARGET_FILE:failing_module>\"")

foreach(app IN LISTS HF_APPS)
  file(GLOB tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/apps/${app}/*_test.cpp")
  if(tests)
    hf_sources(sources "${CMAKE_SOURCE_DIR}/apps/${app}")
    list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
    list(TRANSFORM HF_DEPS_${app} PREPEND hf_ OUTPUT_VARIABLE deps)
    add_executable(test_${app} ${sources} ${tests})
    hf_test_program(test_${app})
    target_include_directories(test_${app} PRIVATE "${CMAKE_SOURCE_DIR}/apps/${app}")
    target_compile_definitions(test_${app} PRIVATE HOLDFAST_VERSION="${PROJECT_VERSION}")
    target_link_libraries(test_${app} PRIVATE ${deps} ${HF_LIBRARIES_${app}})
    add_test(NAME unit.${app}${hf_suffix} COMMAND test_${app} --gtest_brief=1)
    hf_test_properties(unit.${app}${hf_suffix} unit 1000 900)
  endif()
endforeach()

# What the tests and the service that lies share.
file(GLOB attacks CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/hostile/*attacks.cpp")
add_library(attacks STATIC ${attacks})
hf_test_program(attacks)
target_link_libraries(attacks PRIVATE ${hf_all_modules})

# Helpers shared by the groups are in tests/support; each story is a ctest test of its own.
file(GLOB group_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/*/*_test.cpp")
set(groups)
foreach(file IN LISTS group_files)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET folder FILENAME group)
  list(APPEND groups ${group})
endforeach()
list(REMOVE_DUPLICATES groups)
foreach(group IN LISTS groups)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${group}/*.cpp")
  list(REMOVE_ITEM sources ${attacks})
  add_executable(test_${group} ${sources})
  hf_test_program(test_${group})
  target_link_libraries(test_${group} PRIVATE ${hf_all_modules})
  if(group STREQUAL "disclose")  # a case from a real service, opened by the program's own code
    hf_sources(disclose "${CMAKE_SOURCE_DIR}/apps/holdfast-disclose")
    list(FILTER disclose EXCLUDE REGEX "/main\\.cpp$")
    target_sources(test_disclose PRIVATE
      ${disclose} "${CMAKE_SOURCE_DIR}/tests/journeys/log_scene.cpp")
    target_include_directories(test_disclose PRIVATE
      "${CMAKE_SOURCE_DIR}/apps/holdfast-disclose" "${CMAKE_SOURCE_DIR}/apps")
    set_source_files_properties(${disclose} PROPERTIES
      COMPILE_DEFINITIONS "HOLDFAST_VERSION=\"${PROJECT_VERSION}\"")
  endif()
  if(group STREQUAL "hostile")
    target_link_libraries(test_hostile PRIVATE attacks)
    target_sources(test_hostile PRIVATE "${CMAKE_SOURCE_DIR}/tests/journeys/log_scene.cpp")
  endif()
  # Thousands of trials of a statistic: a sanitizer sees nothing there that it does not see in one.
  set(filter "")
  if(HOLDFAST_SANITIZE)
    set(filter TEST_FILTER "-Chunking.Sizes*")
  endif()
  gtest_discover_tests(test_${group} ${filter}
    TEST_PREFIX "${group}." TEST_SUFFIX "${hf_suffix}" DISCOVERY_TIMEOUT 120
    EXTRA_ARGS --gtest_brief=1
    PROPERTIES LABELS journey COST 100 TIMEOUT 900 ENVIRONMENT "${hf_environment}")
endforeach()

# What runs in one process: all that a sanitizer build needs for `./dev test`.
get_property(all_targets DIRECTORY "${CMAKE_SOURCE_DIR}" PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER all_targets INCLUDE REGEX "^test_")
add_custom_target(in_process_tests DEPENDS ${all_targets})

# The service that lies, and what a provider does with its own keys; for tools/story_hostile.
file(GLOB hostile_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/hostile/service/*.cpp")
add_executable(hostile ${hostile_sources})
hf_test_program(hostile)
target_link_libraries(hostile PRIVATE attacks ${hf_all_modules})

# The journeys run the same code under sanitizers in one process, the service in it, in a fraction of
# the time: programs with sanitizers are for `./dev test --all`.
set(hf_slow "")
if(HOLDFAST_SANITIZE)
  set(hf_slow ";all-only")
endif()

file(GLOB scripts CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/cli/*.sh")
foreach(script IN LISTS scripts)
  cmake_path(GET script STEM name)
  add_test(NAME cli.${name}${hf_suffix} COMMAND bash "${script}" "${CMAKE_BINARY_DIR}/bin")
  hf_test_properties(cli.${name}${hf_suffix} "cli${hf_slow}" 200 600)
  set_property(TEST cli.${name}${hf_suffix} APPEND PROPERTY
    ENVIRONMENT "HOLDFAST_BIN=${CMAKE_BINARY_DIR}/bin")
endforeach()

# A hundred attacks, each with programs of its own; on a crowded machine that takes a while.
set_tests_properties(cli.hostile_service${hf_suffix} PROPERTIES TIMEOUT 1500)

# `./dev test --all` sets HOLDFAST_KILLS for the build without a sanitizer.
file(GLOB scripts CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/service/*.sh")
foreach(script IN LISTS scripts)
  cmake_path(GET script STEM name)
  add_test(NAME service.${name}${hf_suffix} COMMAND bash "${script}" "${CMAKE_BINARY_DIR}/bin")
  hf_test_properties(service.${name}${hf_suffix} "service${hf_slow}" 300 1800)
  if(HOLDFAST_SANITIZE)
    set_property(TEST service.${name}${hf_suffix} APPEND PROPERTY ENVIRONMENT "HOLDFAST_KILLS=10")
  endif()
endforeach()

# Go reads the files, so the build without sanitizers is enough.
if(NOT HOLDFAST_SANITIZE)
  find_program(HF_GO NAMES go HINTS /usr/lib/go/bin REQUIRED)
  add_executable(tlog_site "${CMAKE_SOURCE_DIR}/tests/interop/tlog_site.cpp")
  set_target_properties(tlog_site PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  target_link_libraries(tlog_site PRIVATE hf_tlog)
  add_test(NAME interop.tlog
    COMMAND bash "${CMAKE_SOURCE_DIR}/tests/interop/tlog.sh" $<TARGET_FILE:tlog_site> "${HF_GO}")
  hf_test_properties(interop.tlog interop 300 300)
endif()

if(NOT HOLDFAST_SANITIZE)
  add_test(NAME lint.checkers COMMAND "${CMAKE_SOURCE_DIR}/tools/checkers_selftest")
  hf_test_properties(lint.checkers lint 2000 60)
  add_test(NAME model.circle COMMAND bash "${CMAKE_SOURCE_DIR}/tests/model/run.sh")
  hf_test_properties(model.circle model 1500 900)
  set_tests_properties(model.circle PROPERTIES PROCESSORS 2)
endif()
