# Compiler and linker flags for everything of ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # TRY is a GNU statement expression
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

find_program(HF_CCACHE ccache)
if(HF_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${HF_CCACHE}")
endif()

include(CheckPIESupported)
check_pie_supported()

add_compile_options(
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor
  -fno-omit-frame-pointer "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
add_compile_definitions(_GLIBCXX_ASSERTIONS _FILE_OFFSET_BITS=64)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety -Wthread-safety-beta)
  # libstdc++ 12 uses what it deprecates, and clang 19 tells us.
  add_compile_options(-Wno-deprecated-declarations)
endif()

if(HOLDFAST_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "HOLDFAST_FUZZ needs clang")
  endif()
  set(HOLDFAST_SANITIZE "fuzzer-no-link,address,undefined")
endif()
if(HOLDFAST_SANITIZE)
  add_compile_options("-fsanitize=${HOLDFAST_SANITIZE}" -fno-sanitize-recover=all)
  add_link_options("-fsanitize=${HOLDFAST_SANITIZE}")
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
    -fstack-protector-strong -fstack-clash-protection)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# For tests and for programs' command lines, which need not be fast but are half of what a build
# compiles. Programs that are shipped stay as they are: the linker takes an inline function from
# the first object that has it.
set(hf_test_options -O1)
set(hf_cold_options "")
if(HOLDFAST_SANITIZE)
  set(hf_test_options -O0)
  set(hf_cold_options -O0)
endif()

# One reading of the headers for several files halves what a build from nothing takes: always with
# sanitizers, which make everything slow to compile, and where CMAKE_UNITY_BUILD says so (.ci/run).
# Otherwise each file is compiled by itself, and so shows that it includes what it uses.
if(HOLDFAST_SANITIZE AND NOT HOLDFAST_FUZZ)
  set(CMAKE_UNITY_BUILD ON)
endif()
if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A type of a .cpp file may hold one of that file's own; there it is in no other file.
  add_compile_options(-Wno-subobject-linkage)
endif()
