# `cpack -G DEB` (or `ninja package`) makes a package for the Debian that it runs on, `cpack -G TGZ` an archive
# for anywhere. tests/fresh/package.sh installs the former in a bare root.
set(CPACK_PACKAGE_NAME unmask)
set(CPACK_PACKAGE_VENDOR "unmask")
set(CPACK_PACKAGE_CONTACT "the authors of unmask")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/package)
set(CPACK_STRIP_FILES ON)

set(CPACK_GENERATOR TGZ)
find_program(UNMASK_DPKG dpkg)
find_program(UNMASK_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(UNMASK_DPKG UNMASK_SHLIBDEPS)
if(UNMASK_DPKG)
  set(CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "tells whether a classifier is robust or merely hides its gradients
 Trains or evaluates networks, attacks them in many ways while changing the ODE
 solver under them, and records every outcome in one SQLite file. Solvers,
 models, attacks, data sets, objectives and probes are plugins.")
# Without a fast BLAS a product of matrices is 30 times slower; the others build plugins of one's own.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libopenblas0-pthread")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "g++, cmake (>= 3.25), make, libtorch-dev")
# Of a LibTorch that no package holds, dpkg knows nothing.
if(UNMASK_SHLIBDEPS AND "${Torch_DIR}" MATCHES "^/usr/(lib|share)/")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib ${PROJECT_BINARY_DIR}/lib/unmask)
endif()
include(CPack)
