// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Test CAI for newcomers. Testnets and development chains only.
/// @dev `account` is who gets a drip, `caller` who asked for it.
/// @custom:reverts-packages SafeERC20FailedOperation
interface IFaucet {
    /// @notice `account` may ask again at `availableAt`.
    error CoolingDown(address account, uint256 availableAt);
    /// @notice The faucet holds `available` CAI wei, less than one drip, which is `required`.
    error FaucetEmpty(uint256 available, uint256 required);
    /// @notice The native gas, `amount` wei, did not reach `account`.
    error GasTransferFailed(address account, uint256 amount);
    /// @notice The zero address was given.
    error ZeroAddress();
    /// @notice A constructor argument outside its bounds: `name` is `value`.
    error InvalidParameter(string name, uint256 value);

    /// @notice `account` got `amount` CAI wei, and `gas` wei of native coin that came along. Its next drip is `cooldown` seconds later;
    /// what the faucet still holds, the token's `Transfer` events say.
    event Dripped(address indexed account, address indexed caller, uint256 amount, uint256 gas);

    /// @notice Gives the caller one drip of CAI.
    /// @custom:caller Anybody whose last drip is `cooldown` seconds ago.
    /// @custom:reverts CoolingDown, FaucetEmpty, GasTransferFailed, those of IERC20.transfer
    function drip() external;

    /// @notice Gives `account` one drip; native coin sent along is handed on as gas. For relayers: a newcomer has no gas to call.
    /// @param account Who gets it, and has to wait for its next.
    /// @custom:caller Anybody.
    /// @custom:reverts CoolingDown, FaucetEmpty, GasTransferFailed, ZeroAddress, those of IERC20.transfer
    function dripTo(address account) external payable;

    /// @notice Seconds at which `account` may have its next drip.
    function availableAt(address account) external view returns (uint256);

    /// @notice CAI wei a drip.
    function dripAmount() external view returns (uint256);

    /// @notice Seconds between two drips of one account.
    function cooldown() external view returns (uint256);
}
