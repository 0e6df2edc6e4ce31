# natkit_pages(LIBRARY FOLDER): the files of FOLDER, which natkit-web serves, embedded as bytes: see assets.hpp.
function(natkit_pages library folder)
    file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*")
    set(embedded "${CMAKE_BINARY_DIR}/pages/assets.cpp")
    set(script "${CMAKE_SOURCE_DIR}/tools/common/cmake/embed_pages.cmake")
    add_custom_command(OUTPUT "${embedded}"
        COMMAND "${CMAKE_COMMAND}" "-DFOLDER=${CMAKE_SOURCE_DIR}/${folder}" "-DINTO=${embedded}" -P "${script}"
        DEPENDS ${files} "${script}" VERBATIM)
    target_sources(natkit_${library} PRIVATE "${embedded}")
    cmake_path(GET folder PARENT_PATH beside)
    target_include_directories(natkit_${library} PRIVATE "${CMAKE_SOURCE_DIR}/${beside}")
endfunction()
