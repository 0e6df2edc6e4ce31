# BPF programs: lib/X/NAME.bpf.c is compiled by clang for the kernel's machine and embedded as bytes, `NAME_object`. Where clang
# or libbpf is missing the tier is left out: the library is then its without.cpp, whose functions say so.

find_program(NATKIT_BPF_CLANG NAMES clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 clang
             DOC "The clang that compiles BPF programs; its own version of C++ does not matter")
pkg_check_modules(natkit_libbpf QUIET libbpf)
set(NATKIT_BPF_FLAGS -target bpf -O2 -g -fno-strict-aliasing -Wall -Wextra -Werror -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")

# Debian's clang has the target; a slim one need not.
set(natkit_bpf_missing "")
if(NOT NATKIT_BPF_CLANG)
    set(natkit_bpf_missing "clang")
elseif(NOT natkit_libbpf_FOUND)
    set(natkit_bpf_missing "libbpf")
else()
    file(WRITE "${CMAKE_BINARY_DIR}/bpf/try.c" "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nchar natkit_license[] SEC(\"license\") = \"GPL\";\n")
    execute_process(COMMAND "${NATKIT_BPF_CLANG}" ${NATKIT_BPF_FLAGS} -c try.c -o try.o
                    WORKING_DIRECTORY "${CMAKE_BINARY_DIR}/bpf" RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    if(NOT status EQUAL 0)
        set(natkit_bpf_missing "${NATKIT_BPF_CLANG} with -target bpf")
    endif()
endif()
if(natkit_bpf_missing)
    message(STATUS "BPF is left out: no ${natkit_bpf_missing}. Media is relayed through plain sockets only.")
    set(natkit_left_out libbpf)  # natkit_library() passes over this package
else()
    message(STATUS "BPF programs are compiled by ${NATKIT_BPF_CLANG}")
endif()

# natkit_bpf_objects(LIBRARY): its BPF programs, or without.cpp alone.
function(natkit_bpf_objects library)
    get_target_property(sources natkit_${library} SOURCES)
    set(without "${sources}")
    list(FILTER without INCLUDE REGEX "/without\\.cpp$")
    if(natkit_bpf_missing)
        set_target_properties(natkit_${library} PROPERTIES SOURCES "${without}")
        return()
    endif()
    target_compile_definitions(natkit_${library} PUBLIC NATKIT_WITH_BPF)
    list(REMOVE_ITEM sources ${without})
    file(GLOB programs CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/lib/${library}/*.bpf.c")
    foreach(program IN LISTS programs)
        cmake_path(GET program FILENAME file)
        string(REPLACE ".bpf.c" "" name "${file}")
        set(object "${CMAKE_BINARY_DIR}/bpf/${name}.bpf.o")
        add_custom_command(OUTPUT "${object}"
            COMMAND "${NATKIT_BPF_CLANG}" ${NATKIT_BPF_FLAGS} -MD -MF "${object}.d" -c "${program}" -o "${object}"
            DEPENDS "${program}" DEPFILE "${object}.d" COMMENT "BPF ${name}" VERBATIM)
        set(embedded "${CMAKE_BINARY_DIR}/bpf/${name}.bpf.cpp")
        set(script "${CMAKE_SOURCE_DIR}/tools/common/cmake/embed.cmake")
        add_custom_command(OUTPUT "${embedded}"
            COMMAND "${CMAKE_COMMAND}" "-DNAME=${name}" "-DOBJECT=${object}" "-DINTO=${embedded}" -P "${script}"
            DEPENDS "${object}" "${script}" VERBATIM)
        list(APPEND sources "${embedded}")
    endforeach()
    set_target_properties(natkit_${library} PROPERTIES SOURCES "${sources}")
endfunction()
