// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, IDisputes} from "../../utils/DisputesTest.sol";

contract VetoTest is DisputesTest {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = _juryOn(1);
        _vote(id, IDisputes.Verdict.Guilty);
    }

    function _tryVeto(address who, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(who);
        disputes.veto(id);
    }

    function test_endsAsADraw() public {
        disputes.resolve(id);
        vm.prank(guardian);
        disputes.veto(id);
        _assertPhase(id, IDisputes.Phase.Drawn);
        _assertReleased(id);
        assertEq(staking.assetsOf(miner, miner), OWN);
        assertFalse(disputes.convicted(digest));
        uint256 sum;
        for (uint256 i; i < JURORS; ++i) {
            sum += disputes.claim(id, 0, i);
        }
        assertEq(cai.balanceOf(challenger) + sum, 100_000e18, "the bond is back, the jurors are paid");
        _tryVeto(guardian, abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Drawn));
    }

    function test_onlyTheGuardian() public {
        disputes.resolve(id);
        _tryVeto(timelock, abi.encodeWithSelector(IDisputes.Unauthorised.selector, timelock));
        _tryVeto(miner, abi.encodeWithSelector(IDisputes.Unauthorised.selector, miner));
    }

    function test_onlyWhatWasFoundGuilty() public {
        _tryVeto(guardian, abi.encodeWithSelector(IDisputes.WrongPhase.selector, id, IDisputes.Phase.Jury));
    }

    function test_onlyInTheWindow() public {
        disputes.resolve(id);
        uint256 deadline = block.timestamp + VETO;
        vm.warp(deadline);
        _tryVeto(guardian, abi.encodeWithSelector(IDisputes.DeadlinePassed.selector, id, deadline));
        vm.warp(deadline - 1);
        vm.prank(guardian);
        disputes.veto(id);
    }

    /// @notice An expired guardian has no say; nobody can call as the zero address.
    function test_notOnceItExpired() public {
        disputes.resolve(id);
        vm.mockCall(address(staking), abi.encodeWithSignature("guardian()"), abi.encode(address(0)));
        _tryVeto(guardian, abi.encodeWithSelector(IDisputes.Unauthorised.selector, guardian));
    }
}
