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

# bench_rekey: the tables of pack keys of a large account, ./dev bench rekey.
add_executable(bench_rekey EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/bench/rekey/bench_rekey.cpp")
target_link_libraries(bench_rekey PRIVATE hf_vault hf_store)
