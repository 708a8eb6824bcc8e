"""GTPT (ECCV 2024): group token pruning and group attention for 2D keypoints.

The paper's terms and ours, with B images, G groups and C channels:

* visual tokens: *patches*, (B, N, C); ``rows`` are their rows in the position table
* human token: the only query token up to the layer ``keypoint_layer`` (H2K), (B, 1, C)
* keypoint tokens: *query tokens*, parts before sparse keypoints, (B, J, C)
* body keypoints: *sparse*; in the *slots* of their group, (B, G, S, C), seen by all
* face, hands and feet: *dense*, each introduced from the token of its *part*
* tokens of a group: its slots, then *private* dense keypoints and patches, (B G, n, C)
* channel gate, or mask: ``gates`` of the patches of a group, (B, G, N, C)
* score of a visual token: ``pool_logits`` of its group's ``scorers``, (B, G, N)
* multi-head group attention (MHGA): :class:`GroupAttention`
* Global Perceived loss: :class:`GTPTLoss` of the *pruned* and the *entire* pass
"""
