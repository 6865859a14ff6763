# Programs that have libc in themselves: they start without a loader, wherever a container does, and stay small.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -fPIE)
set(CMAKE_REQUIRED_LINK_OPTIONS -static-pie)
check_c_source_compiles("int main(void) { return 0; }" SHIELD_STATIC_LIBC)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
if(NOT SHIELD_STATIC_LIBC)
	message(STATUS "no static libc: the supervisor and the runtime shim are linked dynamically; a supervisor needs some 800 KiB more for each container")
endif()

# Of the folders named, the first before those that it stands on, the program takes the files that need no other library; the archives are
# named by their files, so that what others of their files need is not asked for.
function(shield_link_static target)
	foreach(folder ${ARGN})
		add_dependencies(${target} shield_${folder})
		target_link_libraries(${target} PRIVATE $<TARGET_FILE:shield_${folder}>)
	endforeach()
	if(SHIELD_STATIC_LIBC AND NOT SHIELD_SANITIZE) # whose runtimes cannot be linked so
		set_property(TARGET ${target} PROPERTY POSITION_INDEPENDENT_CODE) # else CMake's own -pie comes behind ours
		target_compile_options(${target} PRIVATE -fPIE)
		target_link_options(${target} PRIVATE -static-pie)
	endif()
endfunction()
