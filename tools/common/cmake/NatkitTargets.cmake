# Helpers that keep CMakeLists.txt a table: which folders make which library, and what it may link.

add_library(natkit_options INTERFACE)
target_compile_features(natkit_options INTERFACE cxx_std_23)
target_include_directories(natkit_options INTERFACE "${CMAKE_SOURCE_DIR}/include")
target_compile_options(natkit_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wnon-virtual-dtor -Wno-missing-field-initializers
    # Across the sources of a lot (natkit_unity) a hidden name is no fault, nor a struct of what is the source's own; and g++
    # 12 takes more of std::expected for uninitialised, the more it inlines. The other builds have all three.
    $<IF:$<BOOL:${NATKIT_UNITY}>,-Wno-shadow,-Wshadow>
    "$<$<AND:$<BOOL:${NATKIT_UNITY}>,$<CXX_COMPILER_ID:GNU>>:-Wno-subobject-linkage;-Wno-maybe-uninitialized>"
    # libstdc++ 12's own stable_sort uses what it deprecates, and clang blames the caller.
    $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
    $<$<BOOL:${NATKIT_WERROR}>:-Werror>)
target_compile_definitions(natkit_options INTERFACE NATKIT_VERSION="${PROJECT_VERSION}")
if(NATKIT_SANITIZE)
    target_compile_options(natkit_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(natkit_options INTERFACE -fsanitize=address,undefined)
endif()
if(NATKIT_FUZZ)
    target_compile_options(natkit_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# natkit_package(NAME): an imported target pkg::NAME for what pkg-config calls NAME.
function(natkit_package name)
    if(TARGET pkg::${name})
        return()
    endif()
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${name})
    add_library(pkg::${name} INTERFACE IMPORTED GLOBAL)
    # SYSTEM: a library's own headers are not ours to warn about.
    target_include_directories(pkg::${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
    target_link_libraries(pkg::${name} INTERFACE ${${name}_LINK_LIBRARIES})
endfunction()

# natkit_unity(TARGET): with NATKIT_UNITY its sources are compiled in lots of up to 16. Most of what a file costs is the
# headers it includes and what it instantiates of them, which a lot pays for once. A single source that is edited costs its
# whole lot, so the build that one works with is without it.
function(natkit_unity target)
    if(NATKIT_UNITY)
        set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
    endif()
endfunction()

# natkit_library(NAME FOLDERS … LINKS … PKG …): one static library of the .cpp files in lib/FOLDERS and
# their rooms (sub-folders).
# A library whose folders hold nothing yet is not made.
function(natkit_library name)
    cmake_parse_arguments(arg "" "" "FOLDERS;LINKS;PKG" ${ARGN})
    set(sources "")
    foreach(folder IN LISTS arg_FOLDERS)
        file(GLOB_RECURSE found CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/lib/${folder}/*.cpp")
        list(APPEND sources ${found})
    endforeach()
    if(NOT sources)
        return()
    endif()
    add_library(natkit_${name} STATIC ${sources})
    target_link_libraries(natkit_${name} PUBLIC natkit_options)
    natkit_unity(natkit_${name})
    foreach(link IN LISTS arg_LINKS)
        if(TARGET natkit_${link})
            target_link_libraries(natkit_${name} PUBLIC natkit_${link})
        endif()
    endforeach()
    list(REMOVE_ITEM arg_PKG ${natkit_left_out})
    foreach(package IN LISTS arg_PKG)
        natkit_package(${package})
        target_link_libraries(natkit_${name} PUBLIC pkg::${package})
    endforeach()
    foreach(folder IN LISTS arg_FOLDERS)
        string(REPLACE "/" "_" suite "${folder}")
        set_property(GLOBAL PROPERTY natkit_library_of_${suite} natkit_${name})
    endforeach()
endfunction()

# All programs, and nothing of the tests.
add_custom_target(programs)

# natkit_program(NAME LINKS …): the program tools/NAME/*.cpp, installed to bin.
function(natkit_program name)
    cmake_parse_arguments(arg "" "" "LINKS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tools/${name}/*.cpp")
    if(NOT sources)
        return()
    endif()
    add_executable(${name} ${sources})
    add_dependencies(programs ${name})
    natkit_unity(${name})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
    target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tools")
    foreach(link IN LISTS arg_LINKS)
        if(TARGET natkit_${link})
            target_link_libraries(${name} PRIVATE natkit_${link})
        endif()
    endforeach()
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

# natkit_mimalloc(PROGRAM …): their strings and tables come and go with every call, which mimalloc does for less than the
# C library. The sanitizers' builds have an allocator of their own.
function(natkit_mimalloc)
    if(NATKIT_SANITIZE OR NATKIT_FUZZ)
        return()
    endif()
    find_package(mimalloc REQUIRED)
    foreach(program IN LISTS ARGN)
        target_link_libraries(${program} PRIVATE -Wl,--push-state,--no-as-needed mimalloc -Wl,--pop-state)
    endforeach()
endfunction()
