// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IStaking} from "../../contracts/interfaces/IStaking.sol";
import {Vm} from "forge-std/Vm.sol";
import {deploy} from "./Deploy.sol";

/// @dev A token that moves whatever it is told to.
contract Token {
    uint256 public constant totalSupply = 1_000_000_000e18;

    function transfer(address, uint256) external pure returns (bool) {
        return true;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function burn(uint256) external pure {}
}

/// @dev The caps of slashing, on Staking as it is deployed.
contract SlashLimitsSymbolic {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    address internal constant OPERATOR = address(0xbeef);
    uint256 internal constant STAKE = 1_000_000e18;
    uint256 internal constant EPOCH = 20_000;

    IStaking internal staking;

    function setUp() public {
        vm.warp(EPOCH * 1 days);
        IStaking.Parameters memory p = IStaking.Parameters({
            epochLength: 1 days,
            minMinerStake: 20_000e18,
            minCoordinatorStake: 2_000_000e18,
            rewardPeriod: 1460 days,
            guardian: address(this),
            guardianExpiry: block.timestamp + 365 days
        });
        address[] memory slashers = new address[](1);
        slashers[0] = address(this);
        bytes memory args = abi.encode(address(new Token()), address(0xa), address(0xb), address(this), p, slashers);
        staking = IStaking(deploy("Staking.sol:Staking", args));
        staking.delegate(OPERATOR, STAKE, OPERATOR);
    }

    function _slash(uint256 fraction) internal returns (bool done, uint256 slashed) {
        bytes memory answer;
        (done, answer) =
            address(staking).call(abi.encodeCall(staking.slash, (OPERATOR, fraction, EPOCH, 0, address(0), 0)));
        if (done) (slashed,) = abi.decode(answer, (uint256, uint256));
    }

    /// @dev Nothing or more than half in one slash is refused.
    function check_aSlashIsAtMostHalf(uint256 fraction) external {
        (bool done,) = _slash(fraction);
        if (done) assert(fraction != 0 && fraction <= 0.5e18);
    }

    /// @dev Once an epoch's three quarters are used up nothing more is taken in it, and nothing reverts.
    function check_anEpochTakesAtMostThreeQuarters(uint256 third) external {
        (bool one,) = _slash(0.5e18);
        (bool two,) = _slash(0.25e18);
        (bool three, uint256 slashed) = _slash(third);
        assert(one && two && three == (third != 0 && third <= 0.5e18));
        assert(slashed == 0);
    }

    /// @dev Only a slasher slashes.
    function check_onlyASlasherSlashes(address caller, uint256 fraction, uint256 epoch, address recipient) external {
        if (caller == address(this)) return;
        vm.prank(caller);
        (bool done,) = address(staking)
            .call(abi.encodeCall(staking.slash, (OPERATOR, fraction, epoch, 0, recipient, type(uint256).max)));
        assert(!done);
    }

    /// @dev What a slash pays out is at most half of what was lost, and no more than was asked.
    function check_aRewardIsAtMostHalfOfTheLoss(uint256 reward) external {
        (uint256 slashed, uint256 paid) = staking.slash(OPERATOR, 0.1e18, EPOCH, 0, address(0xcafe), reward);
        assert(paid <= slashed / 2 && paid <= reward);
    }
}
