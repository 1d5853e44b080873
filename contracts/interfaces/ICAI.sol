// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The token: what agents and scripts use of ERC-20, ERC-2612 and burning. Amounts are CAI wei.
interface ICAI {
    /// @notice Balance of `account`.
    function balanceOf(address account) external view returns (uint256);

    /// @notice What `spender` may still take from `owner`.
    function allowance(address owner, address spender) external view returns (uint256);

    /// @notice Lets `spender` take up to `amount` from the caller.
    /// @param spender Who may take it.
    /// @param amount CAI wei; replaces what it was.
    /// @return True.
    /// @custom:caller Anybody, of its own CAI.
    /// @custom:reverts ERC20InvalidApprover, ERC20InvalidSpender
    function approve(address spender, uint256 amount) external returns (bool);

    /// @notice Sends `amount` from the caller to `to`.
    /// @param to Who gets it.
    /// @param amount CAI wei.
    /// @return True.
    /// @custom:caller Anybody, of its own CAI.
    /// @custom:reverts ERC20InsufficientBalance, ERC20InvalidReceiver, ERC20InvalidSender
    function transfer(address to, uint256 amount) external returns (bool);
}
