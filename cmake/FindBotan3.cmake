# Botan3::Botan3, as tools/botan.sh names it: the system's, or the one in the user's cache.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${CMAKE_SOURCE_DIR}/tools/botan.sh")
execute_process(
  COMMAND "${CMAKE_SOURCE_DIR}/tools/botan.sh" --print
  OUTPUT_VARIABLE hf_botan OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(Botan3_FOUND FALSE)
if(hf_botan MATCHES "^system (.*)$")
  set(Botan3_VERSION "${CMAKE_MATCH_1}")
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(hf_botan3 REQUIRED IMPORTED_TARGET botan-3)
  add_library(Botan3::Botan3 ALIAS PkgConfig::hf_botan3)
  set(Botan3_FOUND TRUE)
elseif(hf_botan MATCHES "^cache (.*)$")
  set(hf_botan_prefix "${CMAKE_MATCH_1}")
  string(REGEX REPLACE ".*/botan-([0-9.]+)-.*" "\\1" Botan3_VERSION "${hf_botan_prefix}")
  add_library(Botan3::Botan3 STATIC IMPORTED)
  set_target_properties(Botan3::Botan3 PROPERTIES
    IMPORTED_LOCATION "${hf_botan_prefix}/lib/libbotan-3.a"
    INTERFACE_INCLUDE_DIRECTORIES "${hf_botan_prefix}/include")
  set(Botan3_FOUND TRUE)
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Botan3
  REQUIRED_VARS Botan3_VERSION VERSION_VAR Botan3_VERSION
  REASON_FAILURE_MESSAGE "run ./dev setup")
