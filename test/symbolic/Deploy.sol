// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";

/// @dev Deploys an artefact of `forge build`: the code that is deployed, and nothing compiled anew.
function deploy(string memory artefact, bytes memory args) returns (address deployed) {
    bytes memory code = bytes.concat(Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D).getCode(artefact), args);
    assembly ("memory-safe") {
        deployed := create(0, add(code, 0x20), mload(code))
    }
    assert(deployed != address(0));
}
