"""Faster R-CNN on a feature pyramid: a first stage that proposes regions, and a second that looks into them.

Ren et al., *Faster R-CNN*, NIPS 2015; Lin et al., *Feature Pyramid Networks*, CVPR 2017.
"""
