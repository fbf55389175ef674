"""What a frozen app takes of nerlite besides its modules: the models, the kernels, and the backend without kernels.

Numba stays out, 200 MB; an app that wants its backend names nerlite.kernels.entries as a hidden import.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs

datas = collect_data_files("nerlite", includes=["models/**", "*/libraries/stamp"])
binaries = collect_dynamic_libs("nerlite", search_patterns=["*.so", "*.dylib", "*.dll"])
hiddenimports = ["nerlite.ops.numpy_ops"]
