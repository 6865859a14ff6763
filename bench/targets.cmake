# The benchmarks: shield-bench, and the bare relay that is measured against. See docs/benchmarks.md.
set(bench ${CMAKE_SOURCE_DIR}/bench)
add_executable(shield-bench ${bench}/bench.c ${bench}/candidate.c ${bench}/load.c ${bench}/report.c ${bench}/start.c ${bench}/stub.c ${bench}/svg.c)
target_compile_definitions(shield-bench PRIVATE BENCH_FOLDER="${bench}")
target_link_libraries(shield-bench PRIVATE shield_rig Threads::Threads m)

add_executable(shield-bench-floor ${bench}/floor.c)
target_link_libraries(shield-bench-floor PRIVATE PkgConfig::mnl)

add_executable(shield-bench-events ${bench}/events.c)
target_link_libraries(shield-bench-events PRIVATE shield_rig Threads::Threads)
