# bench_service: what ./dev bench service measures with. Links every module; nobody ships it.
file(GLOB bench_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/bench/service/*.cpp")
add_executable(bench_service EXCLUDE_FROM_ALL ${bench_sources})
target_include_directories(bench_service PRIVATE
  "${CMAKE_SOURCE_DIR}/bench/service" "${CMAKE_SOURCE_DIR}/tests")
target_link_libraries(bench_service PRIVATE
  ${hf_all_modules} OpenSSL::SSL OpenSSL::Crypto Threads::Threads)

# bench_log: the public log's costs, ./dev bench log.
add_executable(bench_log EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/bench/log/bench_log.cpp")
target_link_libraries(bench_log PRIVATE hf_server hf_vault)

# bench_rekey: what a large account does when somebody may read no more, ./dev bench rekey.
file(GLOB bench_rekey_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/bench/rekey/*.cpp")
add_executable(bench_rekey EXCLUDE_FROM_ALL ${bench_rekey_sources})
target_include_directories(bench_rekey PRIVATE "${CMAKE_SOURCE_DIR}/tests")
target_link_libraries(bench_rekey PRIVATE ${hf_all_modules} GTest::gtest)

# bench_custody: the custodian's token, ./dev bench custody.
add_executable(bench_custody EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/bench/custody/bench_custody.cpp")
target_include_directories(bench_custody PRIVATE "${CMAKE_SOURCE_DIR}/tests")
target_link_libraries(bench_custody PRIVATE ${hf_all_modules} GTest::gtest)

# bench_chunker: how fast a core cuts, ./dev bench chunker.
add_executable(bench_chunker EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/bench/chunker/bench_chunker.cpp")
target_link_libraries(bench_chunker PRIVATE hf_archive)

# bench_scale: makes the vault that ./dev bench scale measures.
add_executable(bench_scale EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/bench/scale/make_vault.cpp")
target_include_directories(bench_scale PRIVATE "${CMAKE_SOURCE_DIR}/bench" "${CMAKE_SOURCE_DIR}/tests")
target_link_libraries(bench_scale PRIVATE ${hf_all_modules} GTest::gtest)
