# Kamailio built with CMake, without a change of its tree: the library in place of three files of the core.
#
#   cmake -S kamailio -B build -DCMAKE_PROJECT_kamailio_INCLUDE=/path/library.cmake \
#         -DKAMAILIO_DNS_LIBRARY=/path/libkamailio_dns.so
#
# The library may be the static archive, which is linked whole. kamailio_dns_layout.c is beside this file.
#
# CMake reads this file when Kamailio's project() is met; the change is made when everything else is configured.
# Needs CMake 3.19.

cmake_minimum_required(VERSION 3.19)

set(KAMAILIO_DNS_LIBRARY "" CACHE FILEPATH "library that replaces the DNS files of Kamailio's core")
if(NOT EXISTS "${KAMAILIO_DNS_LIBRARY}")
	message(FATAL_ERROR "KAMAILIO_DNS_LIBRARY names no file: '${KAMAILIO_DNS_LIBRARY}'")
endif()

set(KAMAILIO_DNS_LAYOUT "${CMAKE_CURRENT_LIST_DIR}/kamailio_dns_layout.c")

function(kamailio_dns_replace_sources)
	foreach(list SOURCES INTERFACE_SOURCES)
		get_target_property(files kamailio ${list})
		if(files)
			set(count_before 0)
			list(LENGTH files count_before)
			list(FILTER files EXCLUDE REGEX "(^|/)core/(resolve|dns_cache|dns_func)\\.c$")
			list(LENGTH files count_after)
			set_property(TARGET kamailio PROPERTY ${list} ${files})
			if(list STREQUAL "SOURCES")
				math(EXPR replaced "${count_before} - ${count_after}")
			endif()
		endif()
	endforeach()
	if(NOT replaced EQUAL 3)
		message(FATAL_ERROR "kamailio-dns: ${replaced} of 3 files found among the sources of the core")
	endif()
	# Sizes and offsets of this tree, with this tree's flags.
	set_property(TARGET kamailio APPEND PROPERTY SOURCES "${KAMAILIO_DNS_LAYOUT}")
	get_target_property(folder kamailio SOURCE_DIR)
	set_source_files_properties("${KAMAILIO_DNS_LAYOUT}" TARGET_DIRECTORY kamailio
		PROPERTIES INCLUDE_DIRECTORIES "${folder}/core")
	if(KAMAILIO_DNS_LIBRARY MATCHES "\\.a$")
		# Of an archive the linker takes what the core needs; modules need more.
		set_property(TARGET kamailio APPEND PROPERTY LINK_LIBRARIES
			"-Wl,--whole-archive" "${KAMAILIO_DNS_LIBRARY}" "-Wl,--no-whole-archive")
	else()
		set_property(TARGET kamailio APPEND PROPERTY LINK_LIBRARIES "${KAMAILIO_DNS_LIBRARY}")
	endif()
	message(STATUS "DNS of the core: ${KAMAILIO_DNS_LIBRARY}")
endfunction()
cmake_language(DEFER DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" CALL kamailio_dns_replace_sources)
