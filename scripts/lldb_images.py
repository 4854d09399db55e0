"""lldb_images.py - places a Windows target's images in lldb, also those that are not marked as DLLs: kernel and drivers, as Microsoft's linker
leaves them. Convenience alone: "target modules load" does the same by hand.

	(lldb) command script import lldb_images.py
	(lldb) kdgate-images FOLDER...
"""
import os
import re

import lldb


def files_of(folders):
    """name, in small letters -> path; the first folder's counts."""
    found = {}
    for folder in folders:
        for name in os.listdir(folder):
            found.setdefault(name.lower(), os.path.join(folder, name))
    return found


def images_of(debugger):
    """(base, name) of each, by kdgate's word."""
    answer = lldb.SBCommandReturnObject()
    debugger.GetCommandInterpreter().HandleCommand("process plugin packet monitor modules", answer)
    return [(int(base, 16), name) for base, name in re.findall(r"^(0x[0-9a-f]+) 0x[0-9a-f]+ (\S+)$", answer.GetOutput(), re.M)]


def place(target, base, path):
    """None, or why not."""
    module = target.FindModule(lldb.SBFileSpec(path))
    module = module if module.IsValid() else target.AddModule(path, None, None)
    if not module.IsValid():
        return "lldb does not read it"
    wanted = module.GetObjectFileHeaderAddress().GetFileAddress()
    return target.SetModuleLoadAddress(module, base - wanted).GetCString()


def kdgate_images(debugger, command, result, _):
    """Finds the target's images in folders, and places them where they are."""
    files = files_of(command.split())
    for base, name in images_of(debugger):
        if path := files.get(name.lower()):
            result.AppendMessage(f"{base:#x} {name}: {place(debugger.GetSelectedTarget(), base, path) or path}")


def __lldb_init_module(debugger, _):
    debugger.HandleCommand(f"command script add --overwrite -f {__name__}.kdgate_images kdgate-images")
