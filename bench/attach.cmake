# Included by CMake at the end of project(), when `bench/run` configures (CMAKE_PROJECT_terok-shield_INCLUDE): only those who measure build the benchmarks.
cmake_language(DEFER CALL include ${CMAKE_SOURCE_DIR}/bench/targets.cmake)
