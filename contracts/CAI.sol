// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The token of the Cuckoo network: staked, paid and slashed.
/// @notice All of it is minted at deployment; there is no minter and no owner, so supply only falls.
/// @dev No transfer hooks: the other contracts rely on it that paying CAI never hands control to the payee.
contract CAI is ERC20, ERC20Burnable, ERC20Permit {
    /// @notice What was minted, in wei of 18 decimals.
    uint256 public constant INITIAL_SUPPLY = 1_000_000_000e18;

    /// @param treasury Gets the whole supply.
    constructor(address treasury) ERC20("Cuckoo AI", "CAI") ERC20Permit("Cuckoo AI") {
        _mint(treasury, INITIAL_SUPPLY);
    }
}
