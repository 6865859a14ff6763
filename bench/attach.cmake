# Included by CMake at the end of project(), when `bench/run` configures (CMAKE_PROJECT_terok-shield_INCLUDE): the benchmarks are built by those who measure only.
cmake_language(DEFER CALL add_subdirectory ${CMAKE_SOURCE_DIR}/bench)
