// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {CAI} from "./CAI.sol";
import {IFaucet} from "./interfaces/IFaucet.sol";

/// @title Faucet
/// @notice Test CAI for newcomers, see IFaucet.
contract Faucet is IFaucet {
    // ------------------------------------------------------------------------------------------------------------ storage

    /// @notice The token that it gives.
    CAI public immutable cai;
    /// @inheritdoc IFaucet
    uint256 public immutable dripAmount;
    /// @inheritdoc IFaucet
    uint256 public immutable cooldown;

    /// @inheritdoc IFaucet
    mapping(address account => uint256) public availableAt;

    constructor(CAI cai_, uint256 dripAmount_, uint256 cooldown_) {
        if (address(cai_) == address(0)) revert ZeroAddress();
        if (dripAmount_ == 0) revert InvalidParameter("dripAmount", dripAmount_);
        if (cooldown_ == 0 || cooldown_ > 365 days) revert InvalidParameter("cooldown", cooldown_);
        cai = cai_;
        dripAmount = dripAmount_;
        cooldown = cooldown_;
    }

    // -------------------------------------------------------------------------------------------------------------- verbs

    /// @inheritdoc IFaucet
    function drip() external {
        _drip(msg.sender, 0);
    }

    /// @inheritdoc IFaucet
    function dripTo(address account) external payable {
        if (account == address(0)) revert ZeroAddress();
        _drip(account, msg.value);
    }

    // ----------------------------------------------------------------------------------------------------------- internal

    function _drip(address account, uint256 gas) internal {
        uint256 next = availableAt[account];
        if (block.timestamp < next) revert CoolingDown(account, next);
        uint256 held = cai.balanceOf(address(this));
        if (held < dripAmount) revert FaucetEmpty(held, dripAmount);

        // Written before the coin is sent: a contract that calls back finds itself cooling down.
        availableAt[account] = block.timestamp + cooldown;
        emit Dripped(account, msg.sender, dripAmount, gas);

        SafeERC20.safeTransfer(cai, account, dripAmount);
        // Limited gas and no return data copied: a hostile account can refuse its coin, but not burn the relayer's.
        if (gas != 0 && !SafeTransferLib.trySafeTransferETH(account, gas, SafeTransferLib.GAS_STIPEND_NO_GRIEF)) {
            revert GasTransferFailed(account, gas);
        }
    }
}
