# What find_package(Slicer) finds in the packaging test: just enough of Slicer's build tree to configure and install an
# extension of scripted modules, written from the documentation of its macros. Every module that is configured is
# written into modules.txt in the build folder, for the test to compare with the files that there are.
set(Slicer_FOUND TRUE)
set(Slicer_VERSION 5.13)
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.13/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR ${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
