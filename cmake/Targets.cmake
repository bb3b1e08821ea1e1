# hf_add_module(name)   hf_<name> from src/<name>, linked as LAYERS says
# hf_add_app(name)      bin/<name> from apps/<name>; the target `programs` is all of them

# The .cpp files of a folder, without its tests.
function(hf_sources out folder)
  file(GLOB sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  set(${out} "${sources}" PARENT_SCOPE)
endfunction()

function(hf_add_module name)
  hf_sources(sources "${CMAKE_SOURCE_DIR}/src/${name}")
  list(TRANSFORM HF_DEPS_${name} PREPEND hf_ OUTPUT_VARIABLE deps)
  if(sources)
    add_library(hf_${name} STATIC ${sources})
    target_include_directories(hf_${name} PUBLIC "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(hf_${name} PUBLIC ${deps} PRIVATE ${HF_LIBRARIES_${name}})
  else()  # headers only, or not written yet
    add_library(hf_${name} INTERFACE)
    target_include_directories(hf_${name} INTERFACE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(hf_${name} INTERFACE ${deps})
  endif()
endfunction()

function(hf_add_app name)
  hf_sources(sources "${CMAKE_SOURCE_DIR}/apps/${name}")
  if(NOT sources)
    return()
  endif()
  list(TRANSFORM HF_DEPS_${name} PREPEND hf_ OUTPUT_VARIABLE deps)
  add_executable(${name} ${sources})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  add_dependencies(programs ${name})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/apps/${name}")
  target_compile_definitions(${name} PRIVATE HOLDFAST_VERSION="${PROJECT_VERSION}")
  target_compile_options(${name} PRIVATE ${hf_cold_options})
  target_link_libraries(${name} PRIVATE ${deps} ${HF_LIBRARIES_${name}})
endfunction()
